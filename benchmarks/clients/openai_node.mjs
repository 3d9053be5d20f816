// The official client in Node against a running server: node benchmarks/clients/openai_node.mjs [URL]
// Tried with openai 7.55.0: npm install openai@7.55.0 in a folder of its own, and run a copy of this file there.
import assert from "node:assert";
import OpenAI from "openai";

const url = process.argv[2] ?? "http://127.0.0.1:8000";
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const model = (await client.models.list()).data[0].id;
console.log("models: ok");

const asked = { model, prompt: "def add(a, b):\n    ", max_tokens: 12, seed: 1 };
const whole = await client.completions.create({ ...asked, logprobs: 2 });
let text = "";
for await (const chunk of await client.completions.create({ ...asked, stream: true })) text += chunk.choices[0].text;
assert.equal(text, whole.choices[0].text);
assert.equal(whole.choices[0].logprobs.tokens.join(""), text);
console.log("completions, stream, logprobs: ok");

const chat = { model, max_tokens: 8, seed: 1, messages: [{ role: "user", content: "Count to five." }] };
const spoken = await client.chat.completions.create({ ...chat, tools: [], response_format: { type: "text" } });
text = "";
for await (const chunk of await client.chat.completions.create({ ...chat, stream: true }))
  text += chunk.choices[0]?.delta?.content ?? "";
assert.equal(text, spoken.choices[0].message.content);
console.log("chat, stream, neutral fields: ok");

const begun = [...chat.messages, { role: "assistant", content: "1, 2," }];
const continued = await client.chat.completions.create({ ...chat, messages: begun, logprobs: true, top_logprobs: 2 });
const entries = continued.choices[0].logprobs.content;
assert.equal(entries.map((entry) => entry.token).join(""), continued.choices[0].message.content);
console.log("chat that is continued, logprobs: ok");

const base = await client.completions.create({ ...asked, cosec: { enabled: false }, top_k: 40 });
assert.equal(base.metrics.cosec.enabled, false);
const rootless = new OpenAI({ baseURL: url, apiKey: "none", maxRetries: 0 });
assert.equal((await rootless.completions.create(asked)).choices[0].text, whole.choices[0].text);
console.log("cosec fields, base URL without /v1: ok");

await assert.rejects(client.completions.create({ ...asked, presence_penalty: 1 }), { status: 400, param: "presence_penalty" });
console.log("errors name the field: ok");
