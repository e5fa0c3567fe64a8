from pydantic import BaseModel
from openai import OpenAI
client = OpenAI()
class CalendarEvent(BaseModel):
    name: str
    date: str
    participants: list[str]
response = client.responses.parse(
    model="gpt-5",
    input="Alice and Bob are going to a conference on Jan 15.",
    text_format=CalendarEvent,
)
for item in response.output:
    if item.type == "message":
        for content in item.content:
            print(content.parsed) # CalendarEvent object
