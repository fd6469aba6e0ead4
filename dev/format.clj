(ns format
  "Formats the Java sources with google-java-format: bin/clj -M:format, and -M:format --check to
  list what differs and fail."
  (:require
   [clojure.java.io :as io]
   [clojure.string :as str])
  (:import
   (com.google.googlejavaformat.java Main)))

(defn -main [& [option]]
  (let [files (->> ["java-src" "test" "dev" "bench" "examples"]
                   (mapcat #(file-seq (io/file %)))
                   (map str)
                   (filter #(str/ends-with? % ".java")))
        options (if (= "--check" option) ["--dry-run" "--set-exit-if-changed"] ["--replace"])]
    (Main/main (into-array String (concat options files)))))
