# 5. Download results
result_file = client.files.content(batch.output_file_id)
