# Option 2: Manually pass conversation history
response = client.responses.create(
model="gpt-5",
input=[
{"role": "user", "content": "My name is Alice."},
{"role": "assistant", "content": "Hello Alice!"},
{"role": "user", "content": "What's my name?"},
],
)
