for item in response.output:
    if item.type == "message":
        for content in item.content:
            if content.type == "refusal":
                print("Refused:", content.refusal)
            elif content.parsed:
                print(content.parsed)
