// error classes with their code and param
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ maxRetries: 0 });
const stranger = new OpenAI({ maxRetries: 0, apiKey: "sk-wrong" });

async function failure(request) {
  try {
    await request;
  } catch (error) {
    return error;
  }
  assert.fail("the request was taken");
}

const denied = await failure(stranger.models.list());
assert.ok(denied instanceof OpenAI.AuthenticationError);
assert.equal(denied.code, "invalid_api_key");

const hot = await failure(client.responses.create({ model: "gpt-5", input: "hi", temperature: 3 }));
assert.ok(hot instanceof OpenAI.BadRequestError);
assert.deepEqual([hot.code, hot.param, hot.type], ["decimal_above_max_value", "temperature", "invalid_request_error"]);

const unknown = await failure(
  client.chat.completions.create({ model: "gpt-17", messages: [{ role: "user", content: "hi" }] }),
);
assert.ok(unknown instanceof OpenAI.NotFoundError);
assert.equal(unknown.code, "model_not_found");

const broken = await failure(client.responses.create({ model: "gpt-5", input: "!crash after 1" }));
assert.ok(broken instanceof OpenAI.InternalServerError);
console.log("ok");
