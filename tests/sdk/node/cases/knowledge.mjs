// files, vector stores, search and file_search
import assert from "node:assert/strict";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ maxRetries: 0 });
const texts = {
  "sea.txt": "The northern harbour freezes every winter between December and March.",
  "hens.txt": "Speckled hens lay about two hundred brown eggs yearly.",
};
const store = await client.vectorStores.create({ name: "facts" });
const files = await Promise.all(Object.entries(texts).map(([name, text]) => toFile(Buffer.from(text), name)));
const batch = await client.vectorStores.fileBatches.uploadAndPoll(store.id, { files }, { pollIntervalMs: 50 });
assert.deepEqual([batch.status, batch.file_counts.completed], ["completed", 2]);

const found = [];
for await (const result of client.vectorStores.search(store.id, { query: "How many eggs do hens lay?" })) found.push(result);
assert.equal(found[0].filename, "hens.txt");
assert.equal(found[0].content[0].text, texts["hens.txt"]);

const tools = [{ type: "file_search", vector_store_ids: [store.id] }];
const input = '!call file_search {"queries": ["when does the harbour freeze 【1】"]}';
const stream = client.responses.stream({ model: "gpt-5", input, tools, include: ["file_search_call.results"] });
const kinds = [];
for await (const event of stream) kinds.push(event.type);
assert.ok(kinds.includes("response.file_search_call.searching"));
assert.ok(kinds.includes("response.output_text.annotation.added"));
const [call, message] = (await stream.finalResponse()).output;
assert.equal(call.results[0].filename, "sea.txt");
assert.equal(message.content[0].annotations[0].filename, "sea.txt");

const embedded = await client.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] });
assert.equal(embedded.data.length, 2);
assert.ok(Math.abs(embedded.data[0].embedding.reduce((sum, one) => sum + one * one, 0) - 1) < 1e-3);
assert.equal((await client.vectorStores.delete(store.id)).deleted, true);
console.log("ok");
