import base64
with open("image.jpg", "rb") as f:
    b64 = base64.standard_b64encode(f.read()).decode("utf-8")
response = client.responses.create(
model="gpt-4.1-mini",
input=[{
"role": "user",
"content": [
{"type": "input_text", "text": "Describe this image."},
{
"type": "input_image",
"image_url": f"data:image/jpeg;base64,{b64}",
},
],
}],
)
