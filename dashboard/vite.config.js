import { defineConfig } from "vite";

// Relative addresses: the page stands under any path. Its data come from dashboard/export.py.
export default defineConfig({
  base: "./",
  publicDir: false,
  build: { outDir: "dist", emptyOutDir: true, target: "es2023", chunkSizeWarningLimit: 800 },
});
