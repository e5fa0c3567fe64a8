// list, retrieve
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const names = [];
for await (const model of client.models.list()) names.push(model.id);
assert.ok(names.includes("gpt-5") && names.includes("script"));
assert.equal((await client.models.retrieve("gpt-5")).id, "gpt-5");
await assert.rejects(client.models.retrieve("gpt-17"), OpenAI.NotFoundError);
console.log("ok");
