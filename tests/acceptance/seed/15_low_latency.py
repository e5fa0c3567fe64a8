response = client.responses.create(
    model="gpt-5.2",
    input="Quick question?",
    reasoning={"effort": "none"},
    text={"verbosity": "low"},
)
