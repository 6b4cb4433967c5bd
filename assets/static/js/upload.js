// Files that take a while.
// data-progress      a form with files: shows how much of it has arrived, and can be stopped. Files that are dropped
//                    anywhere on the page are put into its field.
const progressForm = () => find("form[data-progress]");

document.addEventListener("dragover", (event) => {
  if (!progressForm() || !event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  progressForm().classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) progressForm()?.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  const field = progressForm() && find('input[type="file"]', progressForm());
  if (!field || !event.dataTransfer?.files.length) return;
  event.preventDefault();
  progressForm().classList.remove("over");
  field.files = event.dataTransfer.files;
  field.focus();
});

function sendWithProgress(form) {
  const request = new XMLHttpRequest();
  const bar = make("progress", { max: "100", value: "0", "aria-label": "Sent" });
  const line = make("p", { class: "small quiet", role: "status" }, "Sending");
  const stop = make("button", { class: "button small", type: "button" }, "Stop");
  const box = make("div", { class: "stack tight" }, bar, make("div", { class: "line" }, line, stop));
  find(":scope > .sending", form)?.remove();
  box.classList.add("sending");
  form.append(box);
  form.setAttribute("aria-busy", "true");

  const end = (sentence) => {
    form.removeAttribute("aria-busy");
    stop.remove();
    line.textContent = sentence;
  };
  request.upload.onprogress = ({ loaded, total, lengthComputable }) => {
    if (!lengthComputable) return;
    bar.value = (loaded / total) * 100;
    const mb = (bytes) => (bytes / 1e6).toLocaleString([], { maximumFractionDigits: 1 });
    line.textContent = loaded < total ? `${mb(loaded)} of ${mb(total)} MB` : "Sent. The server is reading it.";
  };
  request.onerror = () => end("There is no connection. Choose “send” again when it is back.");
  request.onabort = () => end("Stopped. Nothing was changed.");
  request.onload = async () => {
    const headers = { "Content-Type": request.getResponseHeader("Content-Type") ?? "" };
    if (request.getResponseHeader("HX-Redirect")) headers["HX-Redirect"] = request.getResponseHeader("HX-Redirect");
    const body = [204, 205, 304].includes(request.status) ? null : request.responseText;
    const answer = await taken(new Response(body, { status: request.status, headers }));
    if (answer.goTo) location.assign(answer.goTo);
    else if (answer.problem) end(answer.problem);
    else show(answer.html);
  };
  stop.addEventListener("click", () => request.abort());
  request.open("POST", addressOf(form));
  request.setRequestHeader("X-CSRF-Token", csrf());
  request.setRequestHeader("HX-Request", "true");
  request.setRequestHeader("Accept", "text/html, application/problem+json");
  request.send(new FormData(form));
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !("progress" in form.dataset)) return;
  event.preventDefault();
  sendWithProgress(form);
});
