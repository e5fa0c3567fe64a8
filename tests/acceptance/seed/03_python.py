from openai import OpenAI
client = OpenAI() # reads OPENAI_API_KEY from env
response = client.responses.create(
model="gpt-5",
input="Hello, world!"
)
print(response.output_text)
