// The playground: one prompt, completed by the target alone and hardened, side by side, token by token.
"use strict";

const EXAMPLES = {
  "SQL query (Python)":
    'import sqlite3\n\n\ndef find_user(connection, name):\n    """Return the row of the user with this name."""\n    cursor = connection.cursor()\n',
  "Shell command (Python)":
    'import subprocess\n\n\ndef resolve(host):\n    """Return what `host` resolves to."""\n    return subprocess.',
  "Path of a download (Python)":
    'import os\n\nROOT = "/srv/files"\n\n\ndef read_file(name):\n    """Return the content of a file that the user names."""\n    path = ',
  "String copy (C)":
    '#include <stdio.h>\n#include <string.h>\n\nvoid greet(const char *name) {\n    char buffer[32];\n    ',
};

const byId = (id) => document.getElementById(id);
const state = { running: null, judged: null, checks: false, rules: {}, used: {}, text: { origin: "", hardened: "" } };

function setUp() {
  for (const name of Object.keys(EXAMPLES)) byId("example").append(new Option(name));
  byId("prompt").value = Object.values(EXAMPLES)[0];
  byId("example").addEventListener("change", (event) => { byId("prompt").value = EXAMPLES[event.target.value]; });
  byId("rule").addEventListener("change", showRule);
  byId("key").addEventListener("change", showModel);
  byId("strength-range").addEventListener("input", () => { byId("strength").value = byId("strength-range").value; });
  byId("strength").addEventListener("input", () => { byId("strength-range").value = byId("strength").value; });
  byId("form").addEventListener("submit", (event) => { event.preventDefault(); run(); });
  byId("stop").addEventListener("click", stop);
  byId("theme").addEventListener("click", switchTheme);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
    if (event.key === "Escape") { hideDetails(); stop(); }
  });
  for (const button of document.querySelectorAll(".copy")) button.addEventListener("click", () => copy(button));
  for (const pane of ["origin", "hardened"]) watchTokens(byId(pane));
  applyTheme(stored("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  showModel();
}

function stored(name, value) {
  try { // a browser may forbid storage
    if (value !== undefined) localStorage.setItem(`cosec-${name}`, value);
    return localStorage.getItem(`cosec-${name}`);
  } catch { return null; }
}

function applyTheme(theme) { document.documentElement.dataset.theme = theme; }

function switchTheme() {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  applyTheme(theme);
  stored("theme", theme);
}

// What a changed token is: a rule that works over text says it.
function changeOf(rule) { return rule?.changed ?? "not the target's most likely token"; }

// The controls of the selected rule, from the schema that the server publishes, with the values that the server uses.
function showRule() {
  const name = byId("rule").value, rule = state.rules[name];
  if (rule === undefined) return;
  const used = name === state.used.rule ? state.used : {};
  const main = rule.strength === null ? null : rule.settings[rule.strength];
  byId("rule").title = rule.help;
  byId("changed").textContent = changeOf(rule);
  for (const id of ["strength", "strength-range"]) byId(id).disabled = main === null;
  if (main !== null) {
    const value = used[rule.strength] ?? main.default;
    byId("strength-name").textContent = main.title;
    byId("strength-label").title = main.description;
    Object.assign(byId("strength-range"), { min: main.minimum, ...main.slider, value });
    byId("strength").value = value;
  }
  const others = Object.entries(rule.settings).filter(([setting]) => setting !== rule.strength);
  byId("settings").replaceChildren(
    ...others.map(([setting, schema]) => settingControl(setting, schema, used[setting] ?? schema.default)),
  );
  for (const [setting, replaced] of Object.entries(rule.replaces)) {
    settingElement(setting).addEventListener("change", () => {
      for (const other of replaced) settingElement(other).value = "";
    });
  }
}

function settingElement(name) { return byId("settings").querySelector(`[data-setting="${name}"]`); }

// A control that is empty or unchanged leaves its setting out of the request.
function settingControl(name, schema, value) {
  const control = document.createElement(schema.enum ? "select" : "input");
  if (schema.enum) {
    control.append(new Option("as the rule says", ""), ...schema.enum.map((one) => new Option(one)));
  } else {
    const range = schema.anyOf?.find((one) => one.type === "number") ?? schema;
    Object.assign(control, { type: "number", step: "any", min: range.minimum ?? "", max: range.maximum ?? "" });
  }
  control.value = value ?? "";
  control.dataset.setting = name;
  control.dataset.used = control.value;
  const label = document.createElement("label");
  label.title = schema.description;
  label.append(`${schema.title} `, control);
  return label;
}

function headers() {
  const key = byId("key").value.trim();
  return { "Content-Type": "application/json", ...(key ? { Authorization: `Bearer ${key}` } : {}) };
}

async function showModel() {
  try {
    const answer = await fetch("../v1/models", { headers: headers() });
    if (!answer.ok) return;
    const model = (await answer.json()).data[0];
    state.checks = model.checks;
    Object.assign(state, { rules: model.rules, used: model.cosec });
    byId("rule").replaceChildren(...Object.keys(model.rules).map((name) => new Option(name)));
    if (model.cosec.enabled) byId("rule").value = model.cosec.rule;
    else showError("This server runs the target alone: both sides will be unhardened.");
    showRule();
    byId("model").textContent = `${model.id}, context of ${model.max_model_len} tokens`;
  } catch { /* the first run will say what is wrong */ }
}

function hardening() {
  const rule = state.rules[byId("rule").value];
  if (rule === undefined || !state.used.enabled) return { audit: "tokens" };
  const chosen = { rule: byId("rule").value, audit: "tokens" };
  if (rule.strength !== null) chosen[rule.strength] = byId("strength").valueAsNumber;
  for (const control of byId("settings").querySelectorAll("[data-setting]")) {
    const { setting, used } = control.dataset;
    if (control.value !== "" && control.value !== used) chosen[setting] = control.type === "number" ? control.valueAsNumber : control.value;
  }
  return chosen;
}

async function run() {
  stop();
  hideDetails();
  byId("error").hidden = true;
  const running = new AbortController();
  state.running = state.judged = running;
  setRunning(true);
  const body = {
    prompt: byId("prompt").value,
    temperature: byId("temperature").valueAsNumber,
    top_p: 0.95,
    max_tokens: byId("max-tokens").valueAsNumber,
    seed: byId("seed").valueAsNumber,
    stream: true,
  };
  const arms = { origin: { enabled: false, audit: "tokens" }, hardened: hardening() };
  for (const pane of Object.keys(arms)) clearPane(pane);
  const done = await Promise.allSettled(
    Object.entries(arms).map(([pane, cosec]) => stream(pane, { ...body, cosec }, running.signal)),
  );
  if (state.running !== running) return; // another run took over
  state.running = null;
  setRunning(false);
  const failed = done.find((one) => one.status === "rejected" && one.reason.name !== "AbortError");
  if (failed) showError(failed.reason.message);
  byId("status").textContent = failed ? "" : running.signal.aborted ? "Stopped." : "Done.";
  if (failed || running.signal.aborted || !state.checks) return;
  for (const pane of Object.keys(arms)) judge(pane, body.prompt, state.text[pane], running);
}

// What `cosec check` says about prompt and completion together.
async function judge(pane, prompt, completion, running) {
  let told;
  try {
    const answer = await fetch("../check", { method: "POST", headers: headers(), body: JSON.stringify({ prompt, completion }) });
    told = await answer.json();
    if (!answer.ok) throw new Error(told.error.message);
  } catch (error) { told = { findings: [], unscored: error.message }; }
  if (state.judged !== running) return; // another run took over
  const lines = told.findings.map((one) => verdictLine(one.severity, `line ${one.line}: ${one.message} (${one.cwe}, ${one.rule})`));
  const subject = /^(is|does|cannot) /.test(told.unscored ?? "") ? "it " : "";
  if (told.unscored) lines.push(verdictLine("unscored", `not judged: ${subject}${told.unscored}`));
  else if (!lines.length) lines.push(verdictLine("clean", "the checkers found nothing, which is no proof"));
  byId(`${pane}-verdict`).replaceChildren(...lines);
}

function verdictLine(kind, text) {
  const line = document.createElement("p");
  line.className = kind;
  line.textContent = text;
  return line;
}

function stop() { if (state.running) state.running.abort(); }

function setRunning(on) {
  byId("stop").disabled = !on;
  if (on) byId("status").textContent = "Running …";
}

function showError(message) {
  byId("error").textContent = message;
  byId("error").hidden = false;
}

async function stream(pane, body, signal) {
  const answer = await fetch("../v1/completions", { method: "POST", headers: headers(), body: JSON.stringify(body), signal })
    .catch((error) => { throw error.name === "AbortError" ? error : new Error("The server does not answer."); });
  if (!answer.ok) {
    const told = await answer.json().catch(() => null);
    throw new Error(told?.error?.message ?? `The server answered ${answer.status}.`);
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line.startsWith("data: ") && line !== "data: [DONE]") take(pane, JSON.parse(line.slice(6)));
  }
}

function take(pane, chunk) {
  if (chunk.error) throw new Error(chunk.error.message);
  for (const choice of chunk.choices) {
    state.text[pane] += choice.text;
    for (const token of choice.cosec?.tokens ?? []) byId(pane).append(tokenElement(token));
  }
  if (chunk.metrics) byId(`${pane}-totals`).textContent = totals(chunk.metrics.cosec, chunk.choices[0]?.finish_reason);
}

function totals(metrics, finish) {
  const parts = [`${metrics.tokens} tokens`, `ended by ${finish === "length" ? "the limit" : "a stop"}`];
  if (metrics.enabled) parts.splice(1, 0, `${metrics.changed} changed`, `${metrics.accepted} of ${metrics.drafted} proposals stood`);
  if (metrics.decisions !== undefined) parts.splice(2, 0, `${metrics.decisions} security decisions`);
  return parts.join(" · ");
}

function clearPane(pane) {
  state.text[pane] = "";
  const tail = document.createElement("span");
  tail.className = "prompt-tail";
  tail.textContent = byId("prompt").value.split("\n").pop();
  byId(pane).replaceChildren(tail);
  byId(pane).classList.toggle("plain", pane === "origin");
  byId(`${pane}-totals`).textContent = "";
  byId(`${pane}-verdict`).replaceChildren();
}

function tokenElement(token) {
  const element = document.createElement("span");
  element.className = `token ${token.origin}${token.changed ? " changed" : ""}${token.gated ? " gated" : ""}`;
  element.textContent = token.text;
  // The closer the call was, the stronger the shade.
  if (token.acceptance_ratio !== undefined) element.style.setProperty("--shade", (0.12 + 0.45 * (1 - token.acceptance_ratio)).toFixed(3));
  element.tabIndex = -1;
  element.token = token;
  return element;
}

// Hover, focus and arrow keys show the numbers of one token.
function watchTokens(pane) {
  const shown = (event) => { if (event.target.token) showDetails(event.target); };
  pane.addEventListener("mouseover", shown);
  pane.addEventListener("focusin", shown);
  pane.addEventListener("click", shown);
  pane.addEventListener("mouseleave", hideDetails);
  pane.addEventListener("focusout", hideDetails);
  pane.addEventListener("keydown", (event) => {
    const tokens = [...pane.querySelectorAll(".token")], at = tokens.indexOf(document.activeElement);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tokens.length - 1 }[event.key];
    if (next === undefined || !tokens.length) return;
    event.preventDefault();
    tokens[Math.min(Math.max(next, 0), tokens.length - 1)].focus();
  });
}

function showDetails(element) {
  const token = element.token, list = document.createElement("dl");
  const percent = (value) => `${(100 * value).toPrecision(3)} %`;
  const rows = [
    ["token", JSON.stringify(token.text)],
    ["chosen by", token.origin === "security" ? "security model" : "target"],
  ];
  if (token.target_prob !== undefined) rows.push(["probability, target", percent(token.target_prob)]);
  if (token.security_prob !== undefined) rows.push(["probability, security", percent(token.security_prob)]);
  if (token.acceptance_ratio !== undefined) rows.push(["acceptance ratio", token.acceptance_ratio.toFixed(3)]);
  if (token.divergence !== undefined) rows.push(["divergence", `${token.divergence.toFixed(4)} nats`]);
  if (token.gated !== undefined) rows.push(["security decision", token.gated ? "yes" : "no"]);
  if (token.proposed_text !== undefined) rows.push(["rejected proposal", JSON.stringify(token.proposed_text)]);
  if (token.changed) rows.push(["changed", changeOf(state.rules[byId("rule").value])]);
  for (const [name, value] of rows) {
    const term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    list.append(term, text);
  }
  const box = byId("details");
  box.replaceChildren(list);
  box.hidden = false;
  const place = element.getBoundingClientRect(), size = box.getBoundingClientRect();
  const left = Math.max(8, Math.min(place.left, document.documentElement.clientWidth - size.width - 8));
  const below = place.bottom + size.height + 12 < innerHeight;
  box.style.left = `${left + scrollX}px`;
  box.style.top = `${(below ? place.bottom + 6 : place.top - size.height - 6) + scrollY}px`;
}

function hideDetails() { byId("details").hidden = true; }

async function copy(button) {
  try {
    await navigator.clipboard.writeText(state.text[button.dataset.pane]);
    button.textContent = "Copied";
  } catch { button.textContent = "Not allowed"; }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

setUp();
