// The page at /docs: reads /openapi.json and shows it. Self-contained: no other host is asked for anything.
#pragma once

#include <string_view>

namespace strata::rest {

inline constexpr std::string_view docs_page = R"html(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Strata API</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222;background:#fff}
h1{margin-bottom:0}h2{margin-top:2.5rem;border-bottom:1px solid #ccc}
details{border:1px solid #ddd;border-radius:6px;margin:.5rem 0;background:#fafafa}
summary{cursor:pointer;padding:.5rem .75rem}
details>div{padding:0 .75rem .75rem}
.verb{display:inline-block;min-width:4.5rem;font-weight:700}
.get{color:#0a6}.put{color:#b60}.post{color:#06b}.delete{color:#b02}.patch{color:#719}
code,pre{font:13px ui-monospace,monospace}
pre{background:#f0f0f0;padding:.5rem;overflow:auto;border-radius:4px}
table{border-collapse:collapse}td,th{text-align:left;padding:.1rem 1rem .1rem 0;vertical-align:top}
.open{color:#777;font-size:13px}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}details{background:#1e1e1e;border-color:#333}
pre{background:#262626}h2{border-color:#444}}
</style></head><body><h1>Strata API</h1><p id="about">Loading /openapi.json</p><main id="operations"></main><script>
"use strict";
function element(name, parent, text, className) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  parent.appendChild(e);
  return e;
}
function schemaBlock(parent, title, content) {
  for (const [type, media] of Object.entries(content || {})) {
    element("p", parent, title + " " + type);
    if (media.schema) element("pre", parent, JSON.stringify(media.schema, null, 2));
  }
}
function show(parent, path, verb, operation) {
  const details = element("details", parent);
  details.id = operation.operationId;
  const summary = element("summary", details);
  element("span", summary, verb.toUpperCase(), "verb " + verb);
  element("code", summary, path);
  element("span", summary, "  " + operation.summary);
  const body = element("div", details);
  if (operation.security && operation.security.length === 0) element("p", body, "No key needed.", "open");
  if (operation.parameters) {
    const table = element("table", body);
    for (const p of operation.parameters) {
      const row = element("tr", table);
      element("td", row).appendChild(document.createElement("code")).textContent = p.name;
      element("td", row, p.in + (p.required ? ", required" : ""));
      element("td", row, p.description || "");
    }
  }
  if (operation.requestBody) schemaBlock(body, "Body:", operation.requestBody.content);
  for (const [status, response] of Object.entries(operation.responses)) {
    if (status < "300") schemaBlock(body, status + " " + response.description + ":", response.content);
    else element("div", body, status + " " + response.description, "open");
  }
}
fetch("/openapi.json").then(r => r.json()).then(api => {
  document.getElementById("about").textContent = api.info.description + " Version " + api.info.version + ".";
  const groups = new Map();
  for (const [path, verbs] of Object.entries(api.paths))
    for (const [verb, operation] of Object.entries(verbs)) {
      const tag = operation.tags[0] || "Other";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push([path, verb, operation]);
    }
  const main = document.getElementById("operations");
  for (const tag of [...groups.keys()].sort()) {
    element("h2", main, tag);
    for (const [path, verb, operation] of groups.get(tag)) show(main, path, verb, operation);
  }
}).catch(error => { document.getElementById("about").textContent = "Cannot read /openapi.json: " + error; });
</script></body></html>
)html";

}  // namespace strata::rest
