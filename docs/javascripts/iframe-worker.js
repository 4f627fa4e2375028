// Browsers start no worker for a page that is opened from a folder. There the script of the search runs in a hidden frame instead.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      // The script sends with the global function of a worker. In a frame that function would send to the frame itself.
      this.frame.srcdoc = `<script>
        self.postMessage = data => parent.postMessage(data, "*");
        self.importScripts = (...urls) => urls.forEach(url => document.write('<script src="' + url + '"><\\/script>'));
      <\/script><script src="${new URL(url, document.baseURI)}"><\/script>`;
      this.loaded = new Promise(done => this.frame.addEventListener("load", done));
      window.addEventListener("message", event => {
        if (event.source === this.frame.contentWindow)
          this.dispatchEvent(new MessageEvent("message", { data: event.data }));
      });
      document.body.append(this.frame);
    }
    postMessage(data) {
      // Not by its postMessage, which is replaced.
      this.loaded.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }
    terminate() {
      this.frame.remove();
    }
  };
}
