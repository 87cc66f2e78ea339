// Shows in the title what its channel says, or what its policy has kept it from: a test cannot ask this page.
"use strict";

addEventListener("securitypolicyviolation", ({ blockedURI }) => {
  document.title = `refused: ${blockedURI}`;
});
new goog.appengine.Channel(new URLSearchParams(location.search).get("token")).open({
  onopen() {
    document.title = "open";
  },
  onmessage({ data }) {
    document.title = data;
  },
});
