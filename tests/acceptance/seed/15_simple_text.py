response = client.responses.create(model="gpt-5", input="Hello!")
print(response.output_text)
