# 1. Create JSONL input file
# Each line: {"custom_id": "req-1", "method": "POST", "url": "/v1/chat/completions", "body": {...}}
# 2. Upload file
file = client.files.create(file=open("batch.jsonl", "rb"), purpose="batch")
# 3. Create batch
batch = client.batches.create(
input_file_id=file.id,
endpoint="/v1/chat/completions",
completion_window="24h",
)
# 4. Check status
batch = client.batches.retrieve(batch.id)
print(batch.status) # validating -> in_progress -> completed
