// Reads {payload, headers, secret} from standard input and prints the event that the official client makes of it.
import OpenAI from 'openai';
import { text } from 'node:stream/consumers';

const { payload, headers, secret } = JSON.parse(await text(process.stdin));
const client = new OpenAI({ apiKey: 'none' });
const event = await client.webhooks.unwrap(payload, headers, secret);
console.log(JSON.stringify(event));
