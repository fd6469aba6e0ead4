(ns ndgrad.io-test
  (:require
   [clojure.test :refer [deftest is testing]]
   [ndgrad.core :as nd]
   [ndgrad.io :as io])
  (:import
   (java.io File UncheckedIOException)
   (ndgrad ArgumentException)))

(set! *warn-on-reflection* true)

(defn- temp ^File [suffix]
  (doto (File/createTempFile "ndgrad" suffix) .deleteOnExit))

(deftest npy-comes-back
  (let [f (temp ".npy")]
    (is (= f (io/save-npy f (nd/arange 6 {:dtype :float32}))))
    (is (= [[0.0 1.0 2.0 3.0 4.0 5.0] :float32] ((juxt nd/tolist nd/dtype) (io/load-npy (str f)))))
    (io/save-npy (.toPath f) [[true false]])
    (is (= [[true false]] (nd/tolist (io/load-npy f))))))

(deftest npz-comes-back
  (let [f (temp ".npz")
        arrays {:w [[1.0 2.0]] :layer/b 3, "plain" [1 2]}]
    (doseq [options [nil {:compressed true}]]
      (io/save-npz f arrays options)
      (is (= {:w [[1.0 2.0]] :layer/b 3 :plain [1 2]} (update-vals (io/load-npz f) nd/tolist))))))

(deftest options-and-arrays-are-checked-before-a-file-is-written
  (let [f (temp ".npz")
        w (nd/zeros [1000])]
    (testing "options are a map or keyword arguments"
      (io/save-npz f {:w w})
      (let [plain (.length f)]
        (doseq [options [[{:compressed true}] [:compressed true]]]
          (apply io/save-npz f {:w w} options)
          (is (< (.length f) (/ plain 2))))
        (doseq [options [[{:compressed false}] [{:compressed nil}] [nil] []]]
          (apply io/save-npz f {:w w} options)
          (is (= plain (.length f))))))
    (.delete f)
    (doseq [[message save]
            {#"^save-npz: unknown option :compress; it takes \[:compressed\]$" #(io/save-npz f {:w w} {:compress true})
             #"^save-npz: expected keyword arguments in pairs" #(io/save-npz f {:w w} :compressed true :more)
             #"^save-npz: compressed must be true or false, got 1$" #(io/save-npz f {:w w} :compressed 1)
             #"^save-npz: expected a map of names to arrays, got \[" #(io/save-npz f [[1 2] [3 4]])
             #"^save-npz: expected a name for each array, got \[:w \"w\"\]$" #(io/save-npz f {:w w "w" w})
             #"^save-npz: cannot make an array of \"a\"" #(io/save-npz f {:w w :b "a"})
             #"^save-npy: cannot make an array of no value" #(io/save-npy f nil)}]
      (is (thrown-with-msg? ArgumentException message (save)))
      (is (not (.exists f))))))

(deftest a-map-of-java-will-do
  (let [f (temp ".npz")]
    (io/save-npz f (java.util.TreeMap. {"a" [1 2]}))
    (is (= {:a [1 2]} (update-vals (io/load-npz f) nd/tolist)))))

(deftest what-is-no-file-is-refused
  (doseq [[op f] {"save-npy" #(io/save-npy % [1]) "load-npy" io/load-npy
                  "save-npz" #(io/save-npz % {:a 1}) "load-npz" io/load-npz}
          file [nil :a 1]]
    (is (thrown-with-msg? ArgumentException (re-pattern (str "^" op ": expected a file as a string, File or Path, got "))
                          (f file)))))

(deftest broken-files-are-refused
  (let [f (temp ".npz")]
    (spit f "no archive")
    (is (thrown? ArgumentException (io/load-npz f)))
    (is (thrown? ArgumentException (io/load-npy f)))
    (is (thrown? UncheckedIOException (io/load-npy "no-such-file.npy")))))
