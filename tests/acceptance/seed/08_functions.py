import json
from openai import OpenAI
client = OpenAI()
# Step 1: Define tools
tools = [
    {
        "type": "function",
        "name": "get_weather",
        "description": "Get current weather for a location.",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {
                    "type": "string",
                    "description": "City and country, e.g. 'Paris, France'"
                },
                "units": {
                    "type": "string",
                    "enum": ["celsius", "fahrenheit"]
                }
            },
            "required": ["location", "units"],
            "additionalProperties": False
        },
        "strict": True
    }
]
# Step 2: Send request with tools
input_messages = [
    {"role": "user", "content": "What's the weather in Paris?"}
]
response = client.responses.create(
    model="gpt-5",
    tools=tools,
    input=input_messages,
)
# Step 3: Handle tool calls
input_messages += response.output
for item in response.output:
    if item.type == "function_call":
        # Step 4: Execute function and return result
        args = json.loads(item.arguments)
        result = get_weather(**args) # your function
        input_messages.append({
            "type": "function_call_output",
            "call_id": item.call_id,
            "output": json.dumps(result)
        })
# Step 5: Get final response
final = client.responses.create(
    model="gpt-5",
    tools=tools,
    input=input_messages,
)
print(final.output_text)
