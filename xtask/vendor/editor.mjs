// The part of CodeMirror that the page uses, as one module: an editor for a program.

import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { javascript } from "@codemirror/lang-javascript";
import { python } from "@codemirror/lang-python";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState, Prec } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter, tags } from "@lezer/highlight";

// Colours come from the page's own variables, so that light and dark need nothing here.
const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.bool, tags.null], color: "var(--tok-keyword)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--tok-string)" },
  { tag: tags.number, color: "var(--tok-number)" },
  { tag: tags.comment, color: "var(--tok-comment)", fontStyle: "italic" },
  { tag: [tags.function(tags.variableName), tags.function(tags.propertyName), tags.definition(tags.function(tags.variableName)), tags.className, tags.meta], color: "var(--tok-call)" },
]);

const look = EditorView.theme({
  "&": { maxHeight: "560px", color: "var(--ink)", font: "13px/1.6 var(--mono)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { font: "inherit", overflow: "auto" },
  ".cm-content": { padding: "12px 0" },
  ".cm-line": { padding: "0 16px 0 8px" },
  ".cm-gutters": { border: "0", background: "var(--raised)", color: "var(--ink-faint)" },
  ".cm-activeLine": { background: "color-mix(in srgb, var(--ink) 4%, transparent)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "color-mix(in srgb, var(--accent) 26%, transparent)" },
  ".cm-panels": { background: "var(--sunken)", color: "var(--ink)" },
});

/**
 * Puts an editor with `source` into `parent`. `options`: `{language: "python"|"javascript", label, onRun(), onLeave()}`.
 * Returns `{text(), focus(), destroy()}`.
 */
export function edit(parent, source, options) {
  const keys = [
    { key: "Mod-Enter", run: () => (options.onRun(), true) },
    { key: "Escape", run: () => (options.onLeave(), true) },
  ];
  // In a shadow tree CodeMirror uses style sheets of the CSSOM; elsewhere it would write <style>, which the page's
  // content security policy refuses.
  const root = parent.attachShadow({ mode: "open" });
  const view = new EditorView({
    parent: root,
    root,
    state: EditorState.create({
      doc: source,
      extensions: [
        Prec.highest(keymap.of(keys)),
        look, lineNumbers(), history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(), highlightActiveLine(), highlightSelectionMatches(), search({ top: true }),
        indentUnit.of(options.language === "javascript" ? "  " : "    "),
        options.language === "javascript" ? javascript() : python(),
        syntaxHighlighting(colours), syntaxHighlighting(classHighlighter),
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...searchKeymap, ...historyKeymap, indentWithTab]),
        EditorView.contentAttributes.of({ "aria-label": options.label, tabindex: "0", spellcheck: "false", autocapitalize: "off" }),
      ],
    }),
  });
  return { text: () => view.state.doc.toString(), focus: () => view.focus(), destroy: () => view.destroy() };
}
