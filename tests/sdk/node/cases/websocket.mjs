// WebSocket mode
import assert from "node:assert/strict";
import OpenAI from "openai";
import { ResponsesWS } from "openai/resources/responses/ws";

const ws = new ResponsesWS(new OpenAI({ maxRetries: 0 }));
const events = ws.stream();

async function turn(body) {
  ws.send({ type: "response.create", model: "gpt-5", store: false, ...body });
  const seen = [];
  for (;;) {
    const { value: event, done } = await events.next();
    assert.ok(!done, "the connection ended");
    if (event.type === "error") return { error: event.error.error ?? event.error, seen };
    if (event.type !== "message") continue;
    seen.push(event.message.type);
    if (event.message.type === "response.completed") return { response: event.message.response, seen };
  }
}

const first = await turn({ input: "My name is Alice." });
assert.equal(first.seen[0], "response.created");
const second = await turn({ input: "What's my name?", previous_response_id: first.response.id });
assert.equal(second.response.previous_response_id, first.response.id);
assert.ok(second.response.usage.input_tokens > first.response.usage.input_tokens);
const wrong = await turn({ input: "Hm?", previous_response_id: "resp_nowhere" });
assert.match(JSON.stringify(wrong.error) + String(wrong.error), /previous_response_not_found/);
const third = await turn({ input: "Still there?" });
assert.equal(third.response.output[0].content[0].text, "Still there?");
await events.return?.();
ws.close();
console.log("ok");
