// files, background responses and batches
import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ maxRetries: 0 });
const until = async (retrieve, ...ended) => {
  for (let left = 400; left > 0; left--) {
    const one = await retrieve();
    if (ended.includes(one.status)) return one;
    await wait(50);
  }
  throw new Error("it does not end");
};

const lines = [1, 2, 3].map((number) =>
  JSON.stringify({
    custom_id: `q${number}`,
    method: "POST",
    url: "/v1/responses",
    body: { model: "gpt-5", input: `Question ${number}` },
  }),
);
const file = await client.files.create({ file: await toFile(Buffer.from(lines.join("\n")), "in.jsonl"), purpose: "batch" });
const { id } = await client.batches.create({
  input_file_id: file.id,
  endpoint: "/v1/responses",
  completion_window: "24h",
});
const batch = await until(() => client.batches.retrieve(id), "completed", "failed");
assert.deepEqual([batch.status, batch.request_counts.completed], ["completed", 3]);
const output = await (await client.files.content(batch.output_file_id)).text();
const answers = output.trim().split("\n").map((line) => JSON.parse(line));
assert.deepEqual(answers.map((one) => one.custom_id).sort(), ["q1", "q2", "q3"]);
assert.ok(answers.every((one) => one.response.status_code === 200));

const begun = await client.responses.create({ model: "gpt-5", input: "Hello there", background: true });
assert.equal(begun.status, "queued");
const ended = await until(() => client.responses.retrieve(begun.id), "completed", "failed");
assert.equal(ended.output[0].content[0].text, "Hello there");
const events = [];
for await (const event of await client.responses.retrieve(begun.id, { stream: true, starting_after: 2 })) events.push(event);
assert.equal(events[0].sequence_number, 3);
assert.equal(events.at(-1).type, "response.completed");
console.log("ok");
