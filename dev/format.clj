(ns format
  "Formats the Java sources with google-java-format: bin/clj -M:format, and -M:format --check to
  list what differs and fail. Generated files are as their generators write them."
  (:require
   [clojure.java.io :as io]
   [clojure.string :as str])
  (:import
   (com.google.googlejavaformat.java Formatter)))

(set! *warn-on-reflection* true)

(defn- generated? [text]
  (str/starts-with? text "// Generated"))

(defn- sources []
  (for [folder ["java-src" "test" "dev" "bench" "examples"]
        file (file-seq (io/file folder))
        :when (and (str/ends-with? (str file) ".java") (not (generated? (slurp file))))]
    file))

(defn -main [& [option]]
  (let [check? (= option "--check")
        formatter (Formatter.)
        differing (for [file (sources)
                        :let [text (slurp file)
                              formatted (.formatSourceAndFixImports formatter text)]
                        :when (not= text formatted)]
                    (do (when-not check? (spit file formatted))
                        file))
        n (count differing)]
    (run! (comp println str) differing)
    (when check?
      (println (str (- (count (sources)) n) " passed, " n " failed"))
      (System/exit (if (zero? n) 0 1)))))
