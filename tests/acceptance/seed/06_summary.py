response = client.responses.create(
    model="gpt-5",
    input="What is the capital of France?",
    reasoning={"effort": "low", "summary": "auto"},
)
