response = client.responses.create(
model="gpt-5",
input=[
{"role": "developer", "content": "You are a helpful assistant."},
{"role": "user", "content": "What is machine learning?"},
],
)
