stream = client.responses.create(
model="gpt-5",
input="Tell me a story.",
stream=True,
)
for event in stream:
    if event.type == "response.output_text.delta":
        print(event.delta, end="", flush=True)
