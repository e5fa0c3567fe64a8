import OpenAI from "openai";
const client = new OpenAI(); // reads OPENAI_API_KEY from env
const response = await client.responses.create({
model: "gpt-5",
input: "Hello, world!",
});
console.log(response.output_text);
