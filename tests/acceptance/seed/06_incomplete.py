response = client.responses.create(
    model="gpt-5",
    reasoning={"effort": "medium"},
    input=[{"role": "user", "content": "Complex problem..."}],
    max_output_tokens=300,
)
if response.status == "incomplete":
    reason = response.incomplete_details.reason # "max_output_tokens"
    if response.output_text:
        print("Partial:", response.output_text)
    else:
        print("Ran out of tokens during reasoning")
