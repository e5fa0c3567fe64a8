response = client.responses.create(
    model="gpt-5",
    input="Extract the event details.",
    text={
        "format": {
            "type": "json_schema",
            "strict": True,
            "name": "calendar_event",
            "schema": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "date": {"type": "string"},
                    "participants": {
                        "type": "array",
                        "items": {"type": "string"}
                    }
                },
                "required": ["name", "date", "participants"],
                "additionalProperties": False
            }
        }
    },
)
