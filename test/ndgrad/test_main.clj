(ns ndgrad.test-main
  "Runs the whole suite, or the namespaces and classes named on the command line: clojure.test
  namespaces (test/**/*_test.clj) and JUnit classes (test/**/*Test.java) in one run.

  What is counted: a `deftest` or `defspec` var is one test, a JUnit method is one test however
  many parameters it runs with. A test fails when any of its assertions does, when it throws, or
  when it asserts nothing; a namespace that can't be loaded is one more failure. A test that only
  reports `{:type :skip}` (`ndgrad.test-support/skip`) or whose JUnit assumption fails is neither
  passed nor failed: it is printed with its reason.

  The last line is `N passed, N failed`. The exit status is 0 only if something ran and nothing
  failed."
  (:require
   [clojure.java.io :as io]
   [clojure.stacktrace :as stacktrace]
   [clojure.string :as str]
   [clojure.test :as t])
  (:import
   (java.io File)
   (java.lang.reflect Method)
   (org.junit.platform.engine DiscoverySelector TestExecutionResult TestExecutionResult$Status)
   (org.junit.platform.engine.discovery DiscoverySelectors)
   (org.junit.platform.engine.support.descriptor ClassSource MethodSource)
   (org.junit.platform.launcher Launcher LauncherDiscoveryRequest TestExecutionListener
                                TestIdentifier TestPlan)
   (org.junit.platform.launcher.core LauncherDiscoveryRequestBuilder LauncherFactory)))

(set! *warn-on-reflection* true)

;; ---- finding ------------------------------------------------------------------------------

(def ^:private ^File test-root
  (-> (io/resource "ndgrad/test_main.clj") io/file .getParentFile .getParentFile))

(defn- names-under
  "The dotted names of the files under test/ whose path ends in `suffix`, sorted."
  [suffix extension]
  (->> (file-seq test-root)
       (map (fn [^File f] (str (.relativize (.toPath test-root) (.toPath f)))))
       (filter #(str/ends-with? % (str suffix extension)))
       (map #(-> % (str/replace #"\.\w+$" "") (str/replace #"[/\\]" ".") (str/replace "_" "-")))
       sort))

(defn- suites
  "Everything there is to run, as {:kind, :name}."
  []
  (concat (map #(hash-map :kind :clojure :name %) (names-under "_test" ".clj"))
          (map #(hash-map :kind :junit :name %) (names-under "Test" ".java"))))

(defn- select
  "The suites that `args` name (`ns`, `ns/var` or a Java class), all for no args."
  [args]
  (if (empty? args)
    (suites)
    (for [arg args
          :let [[n v] (str/split arg #"/" 2)
                suite (first (filter #(= n (:name %)) (suites)))]]
      (do
        (when-not suite
          (binding [*out* *err*]
            (println "no tests called" n "; there are:")
            (run! #(println " " (:name %)) (suites)))
          (System/exit 2))
        (cond-> suite v (assoc :var (symbol v)))))))

;; ---- outcomes: test name -> #{:pass :fail :skip} ----------------------------------------------

(defn- note [outcomes test-name outcome]
  (swap! outcomes update test-name (fnil conj #{}) outcome))

(defn- verdict [outcome]
  (cond
    (:fail outcome) :failed
    (:pass outcome) :passed
    (:skip outcome) :skipped
    :else :failed))

(defn- print-skip [test-name reason]
  (println (str "SKIP " test-name ": " reason)))

;; ---- clojure.test -----------------------------------------------------------------------------

(defn- reporter
  "A clojure.test report function that notes outcomes and prints only what isn't fine."
  [outcomes suite-name]
  (let [print-report t/report
        current (fn [] (str suite-name "/" (or (some-> t/*testing-vars* first meta :name)
                                               "fixture")))]
    (fn [{:keys [type] :as m}]
      (case type
        :begin-test-var (swap! outcomes update (current) (fnil into #{}) nil)
        :end-test-var (when (empty? (get @outcomes (current)))
                        (println "FAIL in" (current) "- it asserts nothing")
                        (note outcomes (current) :fail))
        :pass (note outcomes (current) :pass)
        (:fail :error) (do (note outcomes (current) :fail) (print-report m))
        :skip (do (note outcomes (current) :skip) (print-skip (current) (:message m)))
        (:begin-test-ns :end-test-ns :summary) nil
        ;; test.check's progress says nothing that its :fail report doesn't
        (when-not (= "clojure.test.check.clojure-test" (namespace type))
          (print-report m))))))

(defn- broken
  "Notes and prints a throwable that came from outside any test var."
  [outcomes suite-name what ^Throwable e]
  (println "ERROR in" suite-name "-" what)
  (stacktrace/print-cause-trace e)
  (note outcomes (str suite-name "/" what) :fail))

(defn- test-vars-of [ns-symbol only]
  (let [vars (->> (ns-interns ns-symbol) vals (filter (comp :test meta))
                  (sort-by (juxt (comp :line meta) (comp str :name meta))))]
    (cond->> vars only (filter #(= only (:name (meta %)))))))

(defn- run-clojure [outcomes {:keys [var] suite-name :name}]
  (let [ns-symbol (symbol suite-name)]
    (when (try (require ns-symbol) true
               (catch Throwable e (broken outcomes suite-name "does not load" e)))
      (let [vars (test-vars-of ns-symbol var)]
        (if (empty? vars)
          (broken outcomes suite-name "has no tests" (ex-info "nothing to run" {:var var}))
          (try
            (binding [t/report (reporter outcomes suite-name)
                      t/*test-out* *out*]
              (t/test-vars vars))
            (catch Throwable e (broken outcomes suite-name "fixture throws" e))))))))

;; ---- JUnit ------------------------------------------------------------------------------------

(defn- method-name
  "class/method of the test that `id` is, or is one invocation of; else the suite."
  [suite-name ^TestPlan plan ^TestIdentifier id]
  (loop [^TestIdentifier i id]
    (let [source (.orElse (.getSource i) nil)
          parent (.orElse (.getParent plan i) nil)]
      (cond
        (instance? MethodSource source)
        (str (.getClassName ^MethodSource source) "/" (.getMethodName ^MethodSource source))
        (instance? ClassSource source) (str (.getClassName ^ClassSource source) "/class")
        parent (recur parent)
        :else (str suite-name "/does not run")))))

(defn- listener ^TestExecutionListener [outcomes suite-name]
  (let [plan (volatile! nil)]
    (reify TestExecutionListener
      (testPlanExecutionStarted [_ p] (vreset! plan p))
      (executionSkipped [_ id reason]
        (note outcomes (method-name suite-name @plan id) :skip)
        (print-skip (method-name suite-name @plan id) reason))
      (executionFinished [_ id result]
        (let [test-name (method-name suite-name @plan id)
              status (.getStatus ^TestExecutionResult result)
              ^Throwable e (.orElse (.getThrowable ^TestExecutionResult result) nil)]
          (cond
            (= status TestExecutionResult$Status/FAILED)
            (do (note outcomes test-name :fail)
                (println "\nFAIL in" test-name (str "(" (.getDisplayName ^TestIdentifier id) ")"))
                (when e (stacktrace/print-cause-trace e)))
            (= status TestExecutionResult$Status/ABORTED)
            (do (note outcomes test-name :skip)
                (print-skip test-name (if e (ex-message e) "aborted")))
            (.isTest ^TestIdentifier id) (note outcomes test-name :pass)))))))

(defn- selectors
  "The class, or its methods called `only`."
  ^"[Lorg.junit.platform.engine.DiscoverySelector;" [^String class-name only]
  (into-array
   DiscoverySelector
   (if-not only
     [(DiscoverySelectors/selectClass class-name)]
     (let [c (Class/forName class-name)]
       (for [^Method m (.getDeclaredMethods c) :when (= (str only) (.getName m))]
         (DiscoverySelectors/selectMethod ^Class c m))))))

(defn- run-junit [outcomes {:keys [var] suite-name :name}]
  (let [^LauncherDiscoveryRequest request
        (-> (LauncherDiscoveryRequestBuilder/request)
            (.selectors (selectors suite-name var))
            .build)
        ^Launcher launcher (LauncherFactory/create)
        before (count @outcomes)]
    (try
      (.execute launcher request
                ^"[Lorg.junit.platform.launcher.TestExecutionListener;"
                (into-array TestExecutionListener [(listener outcomes suite-name)]))
      (catch Throwable e (broken outcomes suite-name "does not run" e)))
    (when (= before (count @outcomes))
      (broken outcomes suite-name "has no tests" (ex-info "nothing to run" {:var var})))))

;; ---- the run ----------------------------------------------------------------------------------

(defn- run-suite
  "Runs one suite, prints its time, returns its outcomes."
  [{:keys [kind] suite-name :name :as suite}]
  (let [outcomes (atom {})
        start (System/nanoTime)]
    (case kind
      :clojure (run-clojure outcomes suite)
      :junit (run-junit outcomes suite))
    (let [verdicts (frequencies (map verdict (vals @outcomes)))]
      (println (format "%7.2f s  %s: %d passed%s%s" (/ (- (System/nanoTime) start) 1e9) suite-name
                       (:passed verdicts 0)
                       (if-let [n (:failed verdicts)] (str ", " n " FAILED") "")
                       (if-let [n (:skipped verdicts)] (str ", " n " skipped") "")))
      (flush))
    @outcomes))

(defn run
  "Runs the suites that `args` name, all for none; prints the report; returns the exit status."
  [args]
  (let [outcomes (reduce (fn [all suite] (into all (run-suite suite))) {} (select args))
        by-verdict (group-by (comp verdict val) outcomes)
        {:keys [passed failed skipped]} (update-vals by-verdict count)]
    (when failed
      (println "\nFailed:")
      (run! #(println " " %) (sort (map key (:failed by-verdict)))))
    (when skipped (println skipped "skipped, see the SKIP lines for why"))
    (when (empty? outcomes) (println "no test ran"))
    (println (str (or passed 0) " passed, " (or failed 0) " failed"))
    (flush)
    (if (and passed (not failed)) 0 1)))

(defn -main [& args]
  (let [status (run args)]
    (shutdown-agents)
    (System/exit status)))
