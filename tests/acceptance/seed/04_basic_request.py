from openai import OpenAI
client = OpenAI()
response = client.responses.create(
model="gpt-5",
input="Write a haiku about coding.",
)
print(response.output_text)
