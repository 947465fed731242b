// Every control of a page that a person sees, in its order: what it is, and the words that belong
// to it.
(elements) => {
  const clean = (text) => (text || "").replace(/\s+/g, " ").trim().slice(0, 120);
  const visible = (element) => {
    const style = getComputedStyle(element);
    return element.getClientRects().length > 0 && style.visibility !== "hidden";
  };
  const labels = (element) => {
    const found = [...(element.labels || [])].map((label) => label.innerText);
    for (const id of (element.getAttribute("aria-labelledby") || "").split(/\s+/)) {
      found.push(id ? document.getElementById(id)?.innerText : "");
    }
    if (!found.some(Boolean)) {
      const near = element.closest("div, p, fieldset");
      const around = near?.querySelectorAll("input, textarea, select").length === 1 ? near : null;
      found.push((around || element.parentElement)?.querySelector("label")?.innerText);
    }
    return found.filter(Boolean);
  };
  const dialogs =
    "[role=dialog], dialog, [aria-modal=true], [class*=modal i], .fixed.inset-0";
  const forms = [...document.forms];
  const told = [];
  elements.forEach((element, index) => {
    if (!visible(element)) return;
    const tag = element.tagName.toLowerCase();
    const isField = ["input", "textarea", "select"].includes(tag);
    const role = element.getAttribute("role") || "";
    const other = element.isContentEditable ? "textbox" : role;
    const type = isField || tag === "button" ? element.type : other;
    const name = (attribute) => element.getAttribute(attribute) || "";
    const words = [
      ...(isField ? labels(element) : []), name("aria-label"), name("title"), name("placeholder"),
      name("name"), name("id"), name("autocomplete"),
    ];
    const shown = type === "submit" && tag === "input" ? element.value : element.innerText;
    told.push({
      index, tag, type: role === "checkbox" ? "checkbox" : type || "",
      words: clean(words.join(" ")),
      text: isField && tag !== "input" ? "" : clean(shown || name("aria-label") || name("title")),
      href: tag === "a" ? clean(name("href")) : "",
      form: forms.indexOf(element.form || element.closest("form")),
      dialog: Boolean(element.closest(dialogs)),
      required: Boolean(element.required), value: isField ? clean(element.value) : "",
      disabled: Boolean(element.disabled),
    });
  });
  return told;
}
