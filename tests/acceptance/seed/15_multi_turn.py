r1 = client.responses.create(model="gpt-5", input="Hi, I'm Alice.")
r2 = client.responses.create(
model="gpt-5",
input="What's my name?",
previous_response_id=r1.id,
)
