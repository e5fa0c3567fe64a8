response = client.responses.create(
    model="gpt-5.2",
    reasoning={"effort": "medium"},
    input="Write a bash script that transposes a matrix.",
)
