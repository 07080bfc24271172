/** The console's pages and files, for the classifier to serve. */
export {};
