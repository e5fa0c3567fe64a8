response = client.responses.create(
    model="gpt-5.1",
    input="Your prompt here...",
    prompt_cache_key="my-app-v2", # improve cache routing
)
