response = client.responses.create(
    model="gpt-5.1",
    input="Your prompt here...",
    prompt_cache_retention="24h", # "in_memory" (default) or "24h"
)
