// previous_response_id
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const first = await client.responses.create({ model: "gpt-5", input: "My name is Alice." });
const second = await client.responses.create({
  model: "gpt-5",
  input: "What's my name?",
  previous_response_id: first.id,
});
assert.equal(second.previous_response_id, first.id);
assert.ok(second.usage.input_tokens > first.usage.input_tokens);
const roles = [];
for await (const item of client.responses.inputItems.list(second.id, { order: "asc" })) roles.push(item.role);
assert.deepEqual(roles, ["user", "assistant", "user"]);
console.log("ok");
