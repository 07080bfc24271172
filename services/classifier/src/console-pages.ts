/** Serves the console below `/console` of the classifier's pages. */
import { Console } from "@kvm-governor/console";
import type { ConsoleOptions } from "@kvm-governor/console";
import type { PagesOptions } from "@kvm-governor/service-kit";

type App = Parameters<NonNullable<PagesOptions["routes"]>>[0];

/** @returns the console, to be closed with the pages */
export function addConsole(app: App, options: ConsoleOptions): Console {
  const pages = new Console(options);
  app.use("/console", (request, response) => {
    const [path] = request.originalUrl.split("?");
    // Links in the pages begin at /console/.
    if (path === "/console") response.redirect(308, "/console/");
    else pages.handle(request.path, request, response);
  });
  return pages;
}
