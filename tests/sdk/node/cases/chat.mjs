// create, stream, include_usage
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const messages = [{ role: "user", content: "Hello there, world!" }];
const completion = await client.chat.completions.create({ model: "gpt-4.1", messages });
assert.equal(completion.choices[0].message.content, "Hello there, world!");
assert.equal(completion.choices[0].finish_reason, "stop");

const stream = await client.chat.completions.create({
  model: "gpt-4.1",
  messages,
  stream: true,
  stream_options: { include_usage: true },
});
const chunks = [];
for await (const chunk of stream) chunks.push(chunk);
const last = chunks.pop();
assert.equal(chunks.map((chunk) => chunk.choices[0].delta.content ?? "").join(""), "Hello there, world!");
assert.deepEqual(last.choices, []);
assert.equal(last.usage.total_tokens, last.usage.prompt_tokens + last.usage.completion_tokens);
assert.deepEqual(last.usage.total_tokens, completion.usage.total_tokens);

const final = await client.chat.completions.stream({ model: "gpt-4.1", messages }).finalContent();
assert.equal(final, "Hello there, world!");
console.log("ok");
