// Continue's own packages, without the editor, against a running server. Tried with @continuedev/core 1.1.0 and
// @continuedev/openai-adapters 1.37.0, in a folder of its own with a copy of this file:
//   npm install --ignore-scripts @continuedev/core@1.1.0 @continuedev/openai-adapters@1.37.0 esbuild@0.28.2
//   (cd node_modules/sqlite3 && npx node-gyp rebuild)
//   npx esbuild continue_core.mjs --bundle --platform=node --outfile=run.cjs --external:sqlite3 --external:vectordb \
//     --loader:.node=empty
//   cp -r node_modules/web-tree-sitter/tree-sitter.wasm node_modules/tree-sitter-wasms/out . && mv out tree-sitter-wasms
//   node run.cjs URL
import assert from "node:assert";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const url = process.argv[2] ?? "http://127.0.0.1:8000";
const folder = mkdtempSync(join(tmpdir(), "continue-"));
process.env.CONTINUE_GLOBAL_DIR = join(folder, "settings");

async function main() {
const { CompletionProvider } = await import("@continuedev/core/dist/autocomplete/CompletionProvider.js");
const { default: OpenAI } = await import("@continuedev/core/dist/llm/llms/OpenAI.js");
const { default: FileSystemIde } = await import("@continuedev/core/dist/util/filesystem.js");
const { streamDiffLines } = await import("@continuedev/core/dist/edit/streamDiffLines.js");
const { constructLlmApi } = await import("@continuedev/openai-adapters");

const api = constructLlmApi({ provider: "openai", apiKey: "none", apiBase: `${url}/v1/` });
const model = (await api.list())[0].id;
const signal = new AbortController().signal;
const asked = { model, prompt: "def add(a, b):\n    ", max_tokens: 12, seed: 1 };
let text = "";
for await (const chunk of api.completionStream({ ...asked, stream: true }, signal)) text += chunk.choices[0]?.text ?? "";
assert.equal(text, (await api.completionNonStream(asked, signal)).choices[0].text);
console.log("openai-adapters, completions: ok");
const messages = [{ role: "user", content: "Count to five." }, { role: "assistant", content: "1, 2," }];
const chat = { model, messages, max_tokens: 8, seed: 1 };
text = "";
for await (const chunk of api.chatCompletionStream({ ...chat, stream: true }, signal))
  text += chunk.choices[0]?.delta?.content ?? "";
assert.equal(text, (await api.chatCompletionNonStream(chat, signal)).choices[0].message.content);
console.log("openai-adapters, chat that is continued: ok");

const options = { model, apiBase: `${url}/v1/`, apiKey: "none", completionOptions: { maxTokens: 24 } };
const llm = new OpenAI(options);
text = "";
for await (const part of llm.streamChat([{ role: "user", content: "Say hello." }], signal)) text += part.content;
assert(text);
console.log("core, chat: ok");
const code = "def add(a, b):\n    retrun a + b\n";
const lines = [];
const begun = [
  { role: "user", content: `Fix the typo:\n\`\`\`python\n${code}\`\`\`` },
  { role: "assistant", content: "Sure! Here is the code:\n```python\ndef add(a, b):\n" },
];
for await (const line of streamDiffLines("", code, "", llm, "fix the typo", "python", false, begun)) lines.push(line);
assert(lines.length);
console.log("core, edit from a begun answer: ok");

const file = join(folder, "add.py");
writeFileSync(file, "def add(a, b):\n    \n\nprint(add(1, 2))\n");
const autocomplete = new OpenAI({ ...options, useLegacyCompletionsEndpoint: true });
const ide = new FileSystemIde(pathToFileURL(folder).href);
const config = { loadConfig: async () => ({ config: { tabAutocompleteOptions: { debounceDelay: 0, useCache: false } } }) };
const failed = [];
const provider = new CompletionProvider(config, ide, async () => autocomplete, (error) => failed.push(error), async () => []);
const outcome = await provider.provideInlineCompletionItems({
  isUntitledFile: false, completionId: "1", filepath: pathToFileURL(file).href, pos: { line: 1, character: 4 },
  recentlyVisitedRanges: [], recentlyEditedRanges: [],
}, undefined);
assert.deepEqual(failed, []);
console.log(`core, autocompletion: ok (${JSON.stringify(outcome?.completion)} for ${JSON.stringify(outcome?.prompt)})`);

const tools = [{ type: "function", function: { name: "f", parameters: { type: "object", properties: {} } } }];
await assert.rejects(api.chatCompletionNonStream({ ...chat, tools }, signal), /calls no tools/);
console.log("tools are refused with the reason: ok");
process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
