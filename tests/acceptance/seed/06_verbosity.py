response = client.responses.create(
    model="gpt-5.2",
    input="What is recursion?",
    reasoning={"effort": "low"},
    text={"verbosity": "low"}, # low | medium | high
)
