import { z } from "zod";
import { zodTextFormat } from "openai/helpers/zod";
import OpenAI from "openai";
const client = new OpenAI();
const CalendarEvent = z.object({
  name: z.string(),
  date: z.string(),
  participants: z.array(z.string()),
});
const response = await client.responses.parse({
  model: "gpt-5",
  input: "Alice and Bob are going to a conference on Jan 15.",
  text: { format: zodTextFormat(CalendarEvent, "calendar_event") },
});
