;; For users of Leiningen, and a second way to run the same suite: `lein test`.
;; deps.edn is the original; a test compares the two.
(defproject io.github.ndgrad/ndgrad "0.1.0-SNAPSHOT"
  :description "N-dimensional arrays with automatic differentiation for Java and Clojure"
  :license {:name "MIT"}
  :min-lein-version "2.9.0"

  ;; provided: a Java program that uses ndgrad needs no Clojure
  :dependencies [[org.clojure/clojure "1.12.6" :scope "provided"]]

  :source-paths ["src"]
  :java-source-paths ["java-src"]
  :resource-paths ["resources"]
  :target-path "target/lein/%s"        ; bin/clj has target/classes

  :java-cmd ~(do (load-file "dev/jdk.clj") ((resolve 'jdk/tool) "java"))
  :javac-options ["--release" "25" "--add-modules" "jdk.incubator.vector" "-XDstringConcat=inline"
                  "-Xlint:all,-restricted,-path" "-Werror" "-parameters" "-encoding" "UTF-8"]
  ;; ^:replace, because Leiningen's own options switch the optimising compiler off
  :jvm-opts ^:replace ["--enable-native-access=ALL-UNNAMED" "--add-modules" "jdk.incubator.vector"
                       "-XX:+UseParallelGC" "-XX:MetaspaceSize=64m" "-XX:-OmitStackTraceInFastThrow"]

  ;; What bin/test runs, with its summary. Clean, because Leiningen compiles only the files that
  ;; changed, not those that use them. Native engines only where their jars fit.
  :aliases {"test" ["with-profile"
                    ~(if (= ["Linux" "amd64"] (map #(System/getProperty %) ["os.name" "os.arch"]))
                       "+test,+openblas,+mkl"
                       "+test")
                    "do" "clean," "run" "-m" "ndgrad.test-main"]}

  ;; A plain :base, because Leiningen's brings in dependencies of its own for a REPL.
  :profiles {:base {:resource-paths ["dev-resources"]}
             :test {:source-paths ["examples" "dev" "bench"]
                    :java-source-paths ["test"]
                    :test-paths ["test"]
                    :dependencies [[org.clojure/test.check "1.1.3"]
                                   [org.junit.platform/junit-platform-launcher "6.1.3"]
                                   [org.junit.jupiter/junit-jupiter "6.1.3"]
                                   [org.clojure/tools.cli "1.4.256"]
                                   [org.clojure/data.json "2.5.2"]
                                   [org.knowm.xchart/xchart "4.0.3"]
                                   [net.sourceforge.plantuml/plantuml-mit "1.2026.9"]]}
             :openblas {:dependencies [[org.bytedeco/openblas "0.3.31-1.5.13"
                                        :classifier "linux-x86_64"
                                        :exclusions [org.bytedeco/javacpp]]]}
             :mkl {:dependencies [[org.bytedeco/mkl "2025.3-1.5.13"
                                   :classifier "linux-x86_64-redist"
                                   :exclusions [org.bytedeco/javacpp]]]}
             :neanderthal {:dependencies [[org.uncomplicate/neanderthal-base "0.64.0"]
                                          [org.uncomplicate/neanderthal-mkl "0.64.0"]
                                          [org.bytedeco/mkl "2025.3-1.5.13"
                                           :classifier "linux-x86_64-redist"
                                           :exclusions [org.bytedeco/javacpp]]]}})
