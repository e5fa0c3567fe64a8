from pydantic import BaseModel
class Summary(BaseModel):
    title: str
    key_points: list[str]
    sentiment: str
response = client.responses.parse(
    model="gpt-5",
    input="Summarize this article: ...",
    text_format=Summary,
)
