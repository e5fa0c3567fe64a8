// create, retrieve, input items page by page, delete
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const texts = ["one", "two", "three"];
const created = await client.responses.create({
  model: "gpt-5",
  input: texts.map((content) => ({ role: "user", content })),
});
assert.equal(created.output_text, "three");
assert.equal(created.status, "completed");
assert.match(created._request_id, /^req_/);

const retrieved = await client.responses.retrieve(created.id);
assert.deepEqual(retrieved.output, created.output);

const seen = [];
for await (const item of client.responses.inputItems.list(created.id, { limit: 2, order: "asc" })) {
  seen.push(item.content[0].text);
}
assert.deepEqual(seen, texts);

await client.responses.delete(created.id);
await assert.rejects(client.responses.retrieve(created.id), OpenAI.NotFoundError);
console.log("ok");
