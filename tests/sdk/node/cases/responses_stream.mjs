// deltas concatenate to the final text; sequence numbers have no gap
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const story = "Once upon a time — 世界 🙂 — there was a server.";
const stream = await client.responses.create({ model: "gpt-5", input: story, stream: true });
let text = "";
let last;
let count = 0;
for await (const event of stream) {
  assert.equal(event.sequence_number, count++);
  if (event.type === "response.output_text.delta") text += event.delta;
  last = event;
}
assert.equal(text, story);
assert.equal(last.type, "response.completed");
assert.equal(last.response.output[0].content[0].text, story);

const accumulated = await client.responses.stream({ model: "gpt-5", input: story }).finalResponse();
assert.equal(accumulated.output_text, story);
console.log("ok");
