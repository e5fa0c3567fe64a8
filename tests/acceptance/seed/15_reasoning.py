response = client.responses.create(
    model="gpt-5.2",
    input="Solve this complex problem...",
    reasoning={"effort": "high"},
)
