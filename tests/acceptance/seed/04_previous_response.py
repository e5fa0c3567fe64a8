# Option 1: Use previous_response_id for automatic context
response1 = client.responses.create(
model="gpt-5",
input="My name is Alice.",
)
response2 = client.responses.create(
model="gpt-5",
input="What's my name?",
previous_response_id=response1.id,
)
