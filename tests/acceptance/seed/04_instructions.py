response = client.responses.create(
model="gpt-5",
instructions="You are a helpful coding assistant. Be concise.",
input="How do I reverse a string in Python?",
)
