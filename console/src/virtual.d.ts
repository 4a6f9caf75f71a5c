/** What the build knows of the packages that the console is made of. */
declare module "virtual:licences" {
  const licences: readonly { name: string; version: string; licence: string }[];
  export default licences;
}
